// Compiles into dist, unless dist is newer than everything it is made of. Safe to run several times at once: one builds, the
// others wait, and a dist that somebody is running from is replaced as a whole, by a rename.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const SOURCES = ['src', 'demo', 'test', 'bench', 'tsconfig.json', 'package.json', 'package-lock.json', 'build.js'];
const NOT_SOURCES = ['.data', 'node_modules', 'dist', 'pictures'];
const LOCK = join('node_modules', '.build-lock');
const STAMP = join('dist', '.built');
const POLL_MILLISECONDS = 100;

/** The files of a path, or of all that is below it, each with its latest change in milliseconds. */
function filesOf(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return [];
  if (!stat.isDirectory()) return [{ path, changedAt: stat.mtimeMs }];
  const names = readdirSync(path).filter((name) => !NOT_SOURCES.includes(name));
  return names.flatMap((name) => filesOf(join(path, name)));
}

/** The stamp of a build has its time, and names the sources: one that was removed changes nothing else. */
const namesOf = (files) => files.map(({ path }) => path).join('\n');

function isFresh(files) {
  if (!existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== namesOf(files)) return false;
  return statSync(STAMP).mtimeMs > Math.max(...files.map(({ changedAt }) => changedAt));
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes the lock as soon as nobody alive has it. It appears with its content, so that nobody reads half of it. */
async function lock() {
  const own = `${LOCK}-${process.pid}`;
  writeFileSync(own, String(process.pid));
  for (;;) {
    try {
      linkSync(own, LOCK);
      return rmSync(own);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = existsSync(LOCK) ? Number(readFileSync(LOCK, 'utf8')) : 0;
    if (holder && !isRunning(holder)) rmSync(LOCK, { force: true });
    await setTimeout(POLL_MILLISECONDS);
  }
}

function build(files) {
  const startedAt = new Date();
  const [fresh, old] = [`dist-${process.pid}`, `dist-${process.pid}-old`];
  const { status } = spawnSync('tsc', ['--outDir', fresh], { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    return status ?? 1;
  }
  writeFileSync(join(fresh, '.built'), namesOf(files));
  utimesSync(join(fresh, '.built'), startedAt, startedAt);
  if (existsSync('dist')) renameSync('dist', old);
  renameSync(fresh, 'dist');
  rmSync(old, { recursive: true, force: true });
  return 0;
}

await lock();
try {
  const files = SOURCES.flatMap(filesOf);
  process.exitCode = isFresh(files) ? 0 : build(files);
} finally {
  rmSync(LOCK, { force: true });
}
