// The command line.
'use strict';

const path = require('path');

const HELP = `usage: tests/bench/run [options]

Measures slc against its targets (a missed target is a result, not an error) and against its peers, which
npm fetches at bench time. Every figure is taken in turns with what it is compared to; give the machine
some quiet for it.

  --rows A,B      only these: ROWS
  --quick         few rounds: to see that it works, not what it costs
  --no-peers      without PM2
  --json FILE     all figures, round by round
  --markdown      print a table for the README instead of lines
  --bin DIR       the programs (default build/release/bin)
  --cache DIR     keep what npm installs, for the next run
  --help

exit code: 0 measured, 1 something went wrong, 2 usage`;

function usageError(message) {
  return Object.assign(new Error(`${message}, see --help`), { usage: true });
}

function parseOptions(given, allRows) {
  const options = {
    rows: allRows, quick: false, peers: true, json: null, markdown: false, cache: null,
    bin: path.resolve(__dirname, '../../../build/release/bin'),
  };
  const rest = [...given];
  const value = (name) => {
    if (!rest.length) throw usageError(`${name} needs a value`);
    return rest.shift();
  };
  while (rest.length) {
    const name = rest.shift();
    if (name === '--quick') options.quick = true;
    else if (name === '--no-peers') options.peers = false;
    else if (name === '--markdown') options.markdown = true;
    else if (name === '--rows') options.rows = value(name).split(',');
    else if (name === '--json') options.json = value(name);
    else if (name === '--bin') options.bin = path.resolve(value(name));
    else if (name === '--cache') options.cache = path.resolve(value(name));
    else if (name === '--help') {
      console.log(HELP.replace('ROWS', allRows.join(', ')));
      process.exit(0);
    } else throw usageError(`there is no option ${name}`);
  }
  const unknown = options.rows.filter((row) => !allRows.includes(row));
  if (unknown.length) throw usageError(`there is no row ${unknown.join(', ')}`);
  return options;
}

module.exports = { parseOptions };
