import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { nodeVersionFault, OLDEST_NODE } from '../../src/cli/node-version.js';

const run = promisify(execFile);
const MAIN = 'dist/src/cli/main.js';
const FAULT = 'it needs Node.js 22.17 or newer, and this is ';

test.each<[version: string, isRefused: boolean]>([
  ['16.20.2', true],
  ['20.19.5', true],
  ['22.16.0', true],
  ['22.17.0', false],
  ['22.20.1', false],
  ['23.0.0', false],
  ['24.11.1', false],
])('the command line on Node %s: refused %s', (version, isRefused) => {
  expect(nodeVersionFault(version)).toBe(isRefused ? FAULT + version : undefined);
});

test('the check has the range of package.json, and allows the Node of the tests', () => {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(engines.node).toBe(`>=${OLDEST_NODE}`);
  expect(nodeVersionFault(process.versions.node)).toBeUndefined();
});

test('the check runs before the imports of the library, which an older Node cannot load', async () => {
  const imports = [...readFileSync(MAIN, 'utf8').matchAll(/^import .*from '([^']+)'/gm)].map(([, from]) => from);
  expect(imports).toEqual(['./node-version.js']);
  expect(readFileSync('dist/src/cli/node-version.js', 'utf8')).not.toMatch(/^import /m);
  // The Node of the machine, where it is older than the one of the tests.
  const { stdout: version } = await run('/usr/bin/node', ['-p', 'process.versions.node']).catch(() => ({ stdout: '' }));
  if (version === '' || nodeVersionFault(version.trim()) === undefined) return;
  const outcome = await run('/usr/bin/node', [MAIN, '--help']).catch((error) => error);
  expect([outcome.code, outcome.stdout, outcome.stderr]).toEqual([1, '', `jwt-allauth: ${FAULT}${version}`]);
});
