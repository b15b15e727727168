import { readdirSync, readFileSync } from 'node:fs';

/** CPU time so far, in seconds: of the whole machine, of PostgreSQL, and what the hypervisor gave to other machines. */
export interface CpuTimes {
  readonly busy: number;
  readonly stolen: number;
  readonly database: number;
}

/** Clock ticks a second, fixed at 100 on every Linux that Node runs on. */
const TICKS = 100;

/** Reads /proc; undefined on other systems, where disturbances are not detected. */
export function cpuTimes(): CpuTimes | undefined {
  try {
    const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, stolen = 0] = readFileSync('/proc/stat', 'utf8')
      .slice(4, 200)
      .trim()
      .split(/\s+/)
      .map((ticks) => Number(ticks) / TICKS);
    return { busy: user + nice + system + irq + softIrq, stolen, database: databaseTime() };
  } catch {
    return undefined;
  }
}

/** Fields of /proc/<pid>/stat after the name: utime and stime, and cutime and cstime of children that have ended. */
const USED = [11, 12, 13, 14];

function databaseTime(): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (/\(postgres\)/.test(stat)) ticks += USED.reduce((sum, field) => sum + Number(fields[field]), 0);
    } catch {
      // the process has ended meanwhile
    }
  }
  return ticks / TICKS;
}
