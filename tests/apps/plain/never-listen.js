// Lives and never listens.
'use strict';

console.log('thinking about it');
setInterval(() => {}, 60000);
