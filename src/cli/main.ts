#!/usr/bin/env node
import 'reflect-metadata';
import { runCommandLine } from './command-line.js';

/** Milliseconds that the app's own modules have to let the process end. */
const PATIENCE = 1000;

// Who pipes the output into `head` closes it early; the command goes on to its end all the same.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await runCommandLine(process.argv.slice(2));
// What a module of the app has left open must not keep a scheduled command from ending.
setTimeout(() => process.exit(), PATIENCE).unref();
