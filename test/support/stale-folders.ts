import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** A folder that `mkdtemp` made for a test: a prefix, and six random characters. */
const NAME = /^jwt-allauth[ -].*[\dA-Za-z]{6}$/;

/** A run takes minutes. */
const DAY_MS = 86_400_000;

/**
 * Removes what killed test runs have left in a folder for temporary files: folders of tests that nothing has changed
 * for a day, and that no process of this machine uses.
 */
export function removeStaleFolders(parent: string, now = Date.now()): void {
  if (!existsSync(parent)) return;
  const stale = readdirSync(parent).filter((name) => NAME.test(name) && isOld(join(parent, name), now));
  if (stale.length === 0) return;
  const used = usedPaths();
  for (const name of stale) {
    const path = join(parent, name);
    if (!used.some((each) => each.includes(path))) rmSync(path, { recursive: true, force: true });
  }
}

/** Whether neither the folder nor an entry of it was changed for a day, and this user may remove it. */
function isOld(path: string, now: number): boolean {
  try {
    const folder = lstatSync(path);
    if (!folder.isDirectory() || ![0, folder.uid].includes(process.getuid?.() ?? -1)) return false;
    const paths = [path, ...readdirSync(path).map((name) => join(path, name))];
    return paths.every((each) => now - lstatSync(each).mtimeMs > DAY_MS);
  } catch {
    return false; // another run has removed it
  }
}

/** The command lines and working directories of all processes, where the system shows them. */
function usedPaths(): string[] {
  if (!existsSync('/proc/self')) return [];
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return processes.flatMap((id) =>
    [() => readFileSync(`/proc/${id}/cmdline`, 'utf8'), () => readlinkSync(`/proc/${id}/cwd`)].flatMap((read) => {
      try {
        return [read()];
      } catch {
        return []; // it has ended, or belongs to another user
      }
    }),
  );
}
