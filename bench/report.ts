import { cpus, release, totalmem } from 'node:os';
import type { ServerCheck } from './check.js';
import type { ContestResult } from './contest-run.js';
import { type Section, table, type Verdict } from './section.js';
import type { Estimate } from './statistics.js';

/** A section with the date and the machine of the measurement. */
export interface Measured extends Section {
  readonly about: string;
}

/** Describes the date, the machine and the versions. */
export function about(postgres: string): string {
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
  return `${new Date().toISOString().slice(0, 10)}; ${machine}; Node ${process.version}, ${postgres}`;
}

/** The complete result page. */
export function page(sections: readonly Measured[]): string {
  const verdicts = sections.flatMap((section) => section.verdicts);
  const [first = ''] = sections.map((section) => section.about);
  const isSame = sections.every((section) => section.about === first);
  return [
    '# Results of the benchmark',
    '',
    'Written by `npm run bench`. [docs/scaling.md](../docs/scaling.md#speed) describes the method; the code is in this folder.',
    ...(isSame ? [`${first}.`] : []),
    '',
    `## Targets: ${verdicts.filter(({ isMet }) => isMet).length} of ${verdicts.length} met`,
    '',
    'A ratio meets its target when the lower end of its 95 % interval does.',
    '',
    ...verdictTable(verdicts),
    '',
    '![The ratios with their intervals](results.svg)',
    '',
    ...sections.flatMap((section) => [
      `## ${section.title}`,
      '',
      ...(isSame ? [] : [`${section.about}.`, '']),
      ...section.lines,
      '',
    ]),
  ].join('\n');
}

/** A section as Markdown. */
export function text({ title, lines, verdicts }: Section): string {
  return [`## ${title}`, '', ...lines, '', ...verdictTable(verdicts), ''].join('\n');
}

function verdictTable(verdicts: readonly Verdict[]): string[] {
  const rows = verdicts.map(({ what, measured, target, isMet }) => [
    what,
    measured,
    target,
    isMet ? 'met' : '**missed**',
  ]);
  return rows.length > 0 ? table(['what', 'measured', 'target', ''], rows) : [];
}

/** The section of a contest. */
export function sectionOf({ contest, scores, ratios, checks, repeated }: ContestResult): Section {
  const verdicts = ratios.flatMap(({ of, over, least, ratio }): Verdict[] => {
    if (least === undefined) return [];
    const what = `${contest.id}: ${of} / ${over}`;
    const isMet = ratio.low >= least;
    return [{ what, measured: interval(ratio), target: `at least ${least}`, isMet, ratio: { ...ratio, least } }];
  });
  const lines = [
    ...table(
      ['who', 'answers/s', 'p50 ms', 'p99 ms', 'server CPU µs', 'database CPU µs'],
      scores.map(({ name, rate, p50, p99, serverCpu, databaseCpu }) => [
        name,
        Math.round(rate),
        p50.toFixed(2),
        p99.toFixed(2),
        serverCpu.toFixed(0),
        databaseCpu.toFixed(0),
      ]),
    ),
    '',
    ...table(
      ['ratio', 'median (95 % interval)'],
      ratios.map(({ of, over, ratio }) => [`${of} / ${over}`, interval(ratio)]),
    ),
    '',
    `Slices that were measured again because other processes were busy: ${repeated}.`,
    ...checks.flatMap(faults),
  ];
  return { id: contest.id, title: contest.title, lines, verdicts };
}

function interval({ value, low, high }: Estimate): string {
  return `${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

function faults({ server, refusesAnonymous, refusesReplay, winners }: ServerCheck): string[] {
  return [
    ...(refusesAnonymous === false ? [`* ${server} answers a request without a token.`] : []),
    ...(refusesReplay === false ? [`* ${server} accepts a refresh token from two rotations ago.`] : []),
    ...(winners === undefined || winners === 1
      ? []
      : [`* ${server}: eight simultaneous uses of one refresh token left ${winners} live ones instead of one.`]),
  ];
}
