// The command line.
'use strict';

const path = require('path');
const { MANAGERS } = require('./managers');
const { ROWS } = require('./rows');

const TOP = path.resolve(__dirname, '../../..');
const HELP = `usage: tests/bench/run [options]

Measures slc against its targets and its peers (a missed target is a result, not an error). Peers are fetched by npm
and apt-get and kept in the cache; nothing of them is enabled or left running. Managers take turns, and each case is
stored as it ends; give the machine some quiet for it. Then prints all that is stored.

  --rows A,B          only these: ${ROWS.join(', ')}
  --cases A,B         only cases whose names begin so; --list names them
  --managers A,B      only these: ${Object.keys(MANAGERS).join(', ')}
  --quick             few rounds: to see that it works, not what it costs
  --resume            leave out what is stored already
  --report            measure nothing, only print
  --readme            put tables and targets into README.md, plots into packaging/plots
  --markdown          print them as Markdown
  --json FILE         all figures, round by round
  --results DIR       where results are stored (build/bench/results, with --quick build/bench/quick)
  --bin DIR           the programs (build/release/bin)
  --cache DIR         what npm and apt-get fetched (build/bench/cache)
  --list              name the cases
  --help

exit code: 0 measured, 1 something went wrong, 2 usage`;

function usageError(message) {
  return Object.assign(new Error(`${message}, see --help`), { usage: true });
}

function parseOptions(given) {
  const options = {
    rows: ROWS,
    cases: null,
    managers: Object.keys(MANAGERS),
    quick: false,
    resume: false,
    report: false,
    readme: false,
    markdown: false,
    list: false,
    json: null,
    results: null,
    top: TOP,
    bin: path.join(TOP, 'build/release/bin'),
    cache: path.join(TOP, 'build/bench/cache'),
  };
  const rest = [...given];
  const value = (name) => {
    if (!rest.length) throw usageError(`${name} needs a value`);
    return rest.shift();
  };
  const known = (name, all) => {
    const named = value(name).split(',');
    const unknown = named.filter((one) => !all.includes(one));
    if (unknown.length) throw usageError(`${name}: there is no ${unknown.join(', ')}`);
    return named;
  };
  while (rest.length) {
    const name = rest.shift();
    const key = name.slice(2);
    if (['--quick', '--resume', '--report', '--readme', '--markdown', '--list'].includes(name)) options[key] = true;
    else if (['--results', '--bin', '--cache', '--json'].includes(name)) options[key] = path.resolve(value(name));
    else if (name === '--rows') options.rows = known(name, ROWS);
    else if (name === '--managers') options.managers = known(name, Object.keys(MANAGERS));
    else if (name === '--cases') options.cases = value(name).split(',');
    else if (name === '--help') {
      console.log(HELP);
      process.exit(0);
    } else throw usageError(`there is no option ${name}`);
  }
  options.results = options.results || path.join(TOP, 'build/bench', options.quick ? 'quick' : 'results');
  return options;
}

module.exports = { parseOptions };
