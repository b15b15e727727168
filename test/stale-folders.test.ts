import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeStaleFolders } from './support/stale-folders.js';

const DAY_SECONDS = 86_400;

test('a run removes the folders of killed runs, but none that is new, in use or not of a test', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'jwt-allauth-stale-'));
  const old = Date.now() / 1000 - DAY_SECONDS - 60;
  const make = async (name: string, time = old, ofFile = time) => {
    await mkdir(join(parent, name));
    await writeFile(join(parent, name, 'file'), '');
    await utimes(join(parent, name, 'file'), ofFile, ofFile);
    await utimes(join(parent, name), time, time);
  };
  await make('jwt-allauth-run-a1B2c3');
  await make('jwt-allauth keysa1B2c3');
  await make('jwt-allauth-new-a1B2c3', Date.now() / 1000);
  await make('jwt-allauth-changed-a1B2c3', old, Date.now() / 1000);
  await make('jwt-allauth-used-a1B2c3');
  await make('jwt-allauth-named-a1B2c3');
  await make('other-run-a1B2c3');
  await writeFile(join(parent, 'jwt-allauth-file-a1B2c3'), '');
  await utimes(join(parent, 'jwt-allauth-file-a1B2c3'), old, old);
  const script = ['-e', 'process.stdout.write("."); setInterval(() => {}, 1000)'];
  const users = [
    spawn(process.execPath, script, { cwd: join(parent, 'jwt-allauth-used-a1B2c3') }),
    spawn(process.execPath, [...script, '--', `--data=${join(parent, 'jwt-allauth-named-a1B2c3')}`]),
  ];
  await Promise.all(users.map(({ stdout }) => once(stdout, 'data')));
  removeStaleFolders(parent);
  const kept = await readdir(parent);
  for (const each of users) each.kill();
  await rm(parent, { recursive: true });
  const inUse = process.platform === 'linux' ? ['jwt-allauth-named-a1B2c3', 'jwt-allauth-used-a1B2c3'] : [];
  expect(kept.sort()).toEqual(
    [
      ...inUse,
      'jwt-allauth-changed-a1B2c3',
      'jwt-allauth-file-a1B2c3',
      'jwt-allauth-new-a1B2c3',
      'other-run-a1B2c3',
    ].sort(),
  );
});

test('a folder that does not exist is no fault', () => {
  removeStaleFolders('/nowhere/at/all');
});
