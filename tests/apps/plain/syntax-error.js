// Not JavaScript.
'use strict';

const http = require('http';
