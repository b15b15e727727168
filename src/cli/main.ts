#!/usr/bin/env node
import 'reflect-metadata';
import { Command, CommanderError } from 'commander';
import { addCheck } from './check.js';
import { addGenerateKeys } from './generate-keys.js';
import { addPurge } from './purge.js';
import { sentenceOf } from './sentence-of.js';
import { addSessions } from './sessions.js';

/** Milliseconds that the app's own modules have to let the process end. */
const PATIENCE = 1000;

const program = new Command('jwt-allauth')
  .description('Looks after an app that signs its users in with jwt-allauth.')
  .exitOverride()
  .showHelpAfterError('(--help tells more)');
for (const add of [addPurge, addSessions, addGenerateKeys, addCheck]) add(program);

// Who pipes the output into `head` closes it early; the command goes on to its end all the same.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

try {
  await program.parseAsync();
} catch (error) {
  const isUsage = error instanceof CommanderError; // commander has printed what is wrong
  if (!isUsage) process.stderr.write(`jwt-allauth: ${sentenceOf(error)}\n`);
  process.exitCode = isUsage && error.exitCode === 0 ? 0 : isUsage ? 2 : 1;
}
// What a module of the app has left open must not keep a scheduled command from ending.
setTimeout(() => process.exit(), PATIENCE).unref();
