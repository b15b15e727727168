#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { nodeVersionFault } from './node-version.js';

const { engines } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
const fault = nodeVersionFault(process.versions.node, engines.node);
if (fault === undefined) {
  const { run } = await import('./run.js');
  await run();
} else {
  process.stderr.write(`jwt-allauth: ${fault}\n`);
  process.exitCode = 1;
}
