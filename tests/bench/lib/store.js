// Results on the disk, a file for each case, written as soon as the case has ended.
'use strict';

const fs = require('fs');
const path = require('path');

class Store {
  constructor(folder) {
    this.folder = folder;
    fs.mkdirSync(folder, { recursive: true });
  }

  file(id) {
    return path.join(this.folder, `${id}.json`);
  }
  has(id) {
    return fs.existsSync(this.file(id));
  }

  save(id, result) {
    fs.writeFileSync(`${this.file(id)}.new`, `${JSON.stringify(result, null, 1)}\n`);
    fs.renameSync(`${this.file(id)}.new`, this.file(id));
  }

  // {id: result}
  all() {
    return Object.fromEntries(
      fs
        .readdirSync(this.folder)
        .filter((name) => name.endsWith('.json'))
        .map((name) => [
          name.replace(/\.json$/, ''),
          JSON.parse(fs.readFileSync(path.join(this.folder, name), 'utf8')),
        ]),
    );
  }
}

module.exports = { Store };
