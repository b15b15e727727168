import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pages } from '../support/manual.js';

const LONGEST_README = 200;
const LONGEST_PAGE = 250;

/** The anchors of a page: GitHub makes them of its headings. */
function anchorsOf(text: string): string[] {
  const prose = text.replace(/```[\s\S]*?```/g, '');
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The links of a page that lead to a place in this repository. */
function localLinksOf(text: string): string[] {
  const prose = text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

describe.each([...pages])('%s', (path, text) => {
  test('is short enough to be read', () => {
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(path === 'README.md' ? LONGEST_README : LONGEST_PAGE);
  });

  test('has one title, in its first line', () => {
    expect(text.replace(/```[\s\S]*?```/g, '').match(/^# .+$/gm)).toEqual([text.split('\n')[0]]);
  });

  test('links only to what is there', () => {
    for (const link of localLinksOf(text)) {
      const [file = '', anchor] = link.split('#');
      const target = file ? normalize(join(dirname(path), file)) : path;
      expect(existsSync(target), `${path}: ${link}`).toBe(true);
      if (anchor) expect(anchorsOf(pages.get(target) ?? ''), `${path}: ${link}`).toContain(anchor);
    }
  });
});
