import { cpus, release, totalmem } from 'node:os';
import type { Conduct } from './check.js';
import type { ContestResult } from './contest-run.js';

/** The whole result page. */
export function page(
  results: readonly ContestResult[],
  about: { readonly postgres: string; readonly command: string },
): string {
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
  return [
    '# Results of the benchmark',
    '',
    `Written by \`${about.command}\` on ${new Date().toISOString().slice(0, 10)}. Machine: ${machine}; Node ${process.version}, ${about.postgres}.`,
    '',
    'All servers of a contest are up at once, one process each, and are loaded in turn by one loader process, in slices of',
    'a second, there and back again (ABBA), over several restarts. A ratio is the median over these turns, with a 95 %',
    'bootstrap interval; a target is met if the lower end of the interval meets it. CPU is in microseconds per answer.',
    '',
    '![The ratios with their intervals](results.svg)',
    '',
    ...results.map(summary),
  ].join('\n');
}

/** One contest as Markdown. */
export function summary({ contest, scores, ratios, conduct, repeated }: ContestResult): string {
  const rows = scores.map(
    ({ name, rate, p50, p99, serverCpu, databaseCpu }) =>
      `| ${name} | ${Math.round(rate)} | ${p50.toFixed(2)} | ${p99.toFixed(2)} | ${serverCpu.toFixed(0)} | ${databaseCpu.toFixed(0)} |`,
  );
  const compared = ratios.map(({ of, over, least, ratio: { value, low, high } }) => {
    const verdict = least === undefined ? '' : `${low >= least ? 'met' : '**missed**'}: at least ${least}`;
    return `| ${of} / ${over} | ${value.toFixed(2)} | ${low.toFixed(2)} to ${high.toFixed(2)} | ${verdict} |`;
  });
  return [
    `## ${contest.title}`,
    '',
    '| who | answers/s | p50 ms | p99 ms | server CPU | database CPU |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    '| ratio | median | 95 % interval | target |',
    '|---|---|---|---|',
    ...compared,
    '',
    `Slices measured again because the machine was busy with something else: ${repeated}.`,
    ...conduct.flatMap(faults),
    '',
  ].join('\n');
}

function faults({ server, refusesAnonymous, refusesReplay, winners }: Conduct): string[] {
  return [
    ...(refusesAnonymous === false ? [`* ${server} answers a request without a token.`] : []),
    ...(refusesReplay === false ? [`* ${server} accepts a refresh token from two rotations ago.`] : []),
    ...(winners === undefined || winners === 1
      ? []
      : [`* ${server}: eight simultaneous uses of one refresh token left ${winners} live ones instead of one.`]),
  ];
}
