/* eslint-disable @typescript-eslint/no-require-imports -- node --require takes CommonJS only */
/**
 * Lets a process outside Jest run our TypeScript without a build: `node -r <this file> src/….ts`. Jest does
 * the same for the tests themselves.
 */
const { existsSync } = require('node:fs');
const Module = require('node:module');
const { dirname, resolve } = require('node:path');
const { transformFileSync } = require('@swc/core');

const options = {
  jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  module: { type: 'commonjs' },
  sourceMaps: 'inline',
};
Module._extensions['.ts'] = (module, file) =>
  module._compile(transformFileSync(file, options).code, file);

const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, parent, ...rest) {
  // Imports name the compiled file: './x.js' stands for './x.ts'.
  if (/^\.{1,2}\/.*\.js$/.test(request) && parent?.filename) {
    const file = resolve(dirname(parent.filename), request.replace(/\.js$/, '.ts'));
    if (existsSync(file)) return file;
  }
  return resolveFilename.call(this, request, parent, ...rest);
};
