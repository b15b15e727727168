#!/usr/bin/env node
import { nodeVersionFault } from './node-version.js';

const fault = nodeVersionFault(process.versions.node);
if (fault === undefined) {
  const { run } = await import('./run.js');
  await run();
} else {
  process.stderr.write(`jwt-allauth: ${fault}\n`);
  process.exitCode = 1;
}
