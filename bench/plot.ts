import type { Verdict } from './section.js';

const ROW = 26;
const LEFT = 330;
const WIDTH = 900;

/** Draws an SVG: every ratio with its interval on a logarithmic scale, and its target as a tick. */
export function plot(verdicts: readonly Verdict[]): string {
  const rows = verdicts.flatMap(({ what, isMet, ratio }) => (ratio ? [{ what, isMet, ...ratio }] : []));
  const [from, to] = [0.1, 20];
  const x = (ratio: number) =>
    LEFT + ((WIDTH - LEFT - 30) * Math.log(Math.min(to, Math.max(from, ratio)) / from)) / Math.log(to / from);
  const height = (rows.length + 2) * ROW;
  const scale = [0.1, 0.3, 1, 3, 10].map(
    (tick) =>
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="8" y2="${height - ROW}" stroke="#ccc"/><text x="${x(tick)}" y="${height - 8}" text-anchor="middle">${tick} x</text>`,
  );
  const marks = rows.map(({ what, isMet, least, value, low, high }, index) => {
    const y = (index + 0.8) * ROW;
    const colour = isMet ? '#1a7f37' : '#b35900';
    return `<text x="${LEFT - 12}" y="${y + 4}" text-anchor="end">${what}</text>
<line x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="5"/>
<circle cx="${x(value)}" cy="${y}" r="5" fill="${colour}"/>
<line x1="${x(least)}" x2="${x(least)}" y1="${y - 9}" y2="${y + 9}" stroke="#333" stroke-width="2"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" role="img">
<title>Ratios of answers per second with 95 % intervals; the black tick is the target</title>
<rect width="100%" height="100%" fill="#fff"/>
${[...scale, ...marks].join('\n')}
</svg>
`;
}
