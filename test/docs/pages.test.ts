import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Settings } from '../../src/index.js';
import { variableOf } from '../../src/settings/settings-from-env.js';
import { blocks, pages } from '../support/manual.js';

const LONGEST_README = 200;
const LONGEST_PAGE = 250;

/** Where the files of this repository are shown, and where its pictures are. */
const OWN_ADDRESSES = [
  'https://github.com/jwt-allauth/jwt-allauth/blob/main/',
  'https://raw.githubusercontent.com/jwt-allauth/jwt-allauth/main/',
];

/** The anchors of a page, made from its headings as GitHub does. */
function anchorsOf(text: string): string[] {
  const prose = text.replace(/```[\s\S]*?```/g, '');
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The links and pictures of a page. */
function linksOf(text: string): string[] {
  const prose = text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

const isAbsolute = (link: string) => /^[a-z]+:/.test(link);

/** The place in this repository to which a link leads from a page; undefined for one that leads elsewhere. */
function placeOf(link: string, path: string): string | undefined {
  const own = OWN_ADDRESSES.find((address) => link.startsWith(address));
  if (own) return link.slice(own.length);
  if (isAbsolute(link)) return undefined;
  return link.startsWith('#') ? path + link : normalize(join(dirname(path), link));
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));

/** Whether the package on npm contains a file of this repository. npm adds some to those that the manifest lists. */
function isShipped(place: string): boolean {
  const always = ['package.json', 'README.md', 'LICENSE'];
  return [...manifest.files, ...always].some((part: string) => place === part || place.startsWith(`${part}/`));
}

describe.each([...pages])('%s', (path, text) => {
  test('is short enough to read', () => {
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(path === 'README.md' ? LONGEST_README : LONGEST_PAGE);
  });

  test('has one title, in its first line', () => {
    expect(text.replace(/```[\s\S]*?```/g, '').match(/^# .+$/gm)).toEqual([text.split('\n')[0]]);
  });

  test('begins with a paragraph, which says what the page is for', () => {
    const [, blank, beginning] = text.split('\n');
    expect([blank, beginning]).toEqual(['', expect.stringMatching(/^(?!```)[\w`@[]/)]);
  });

  test('links only to existing files and anchors', () => {
    for (const link of linksOf(text)) {
      const place = placeOf(link, path);
      if (place === undefined) continue;
      const [target = '', anchor] = place.split('#');
      expect(existsSync(target), `${path}: ${link}`).toBe(true);
      if (anchor) expect(anchorsOf(pages.get(target) ?? ''), `${path}: ${link}`).toContain(anchor);
    }
  });

  test('links within the package relatively, and absolutely to the rest; the README, which npm shows, always absolutely', () => {
    for (const link of linksOf(text)) {
      const place = placeOf(link, path);
      if (place === undefined) continue;
      const isOutside = path.startsWith('docs/') && !isShipped(place.split('#')[0] ?? '');
      expect(isAbsolute(link), `${path}: ${link}`).toBe(path === 'README.md' || isOutside);
    }
  });
});

const settings = Object.keys(new Settings()).map((name) => variableOf(name).replace('JWT_ALLAUTH_', ''));

test.each([...pages])(
  '%s says that setting variables have a prefix, if it writes them without the prefix',
  (path, text) => {
    const short = settings.filter((name) => name.includes('_') && new RegExp(`(?<![\\w/#])${name}(?!\\w)`).test(text));
    if (short.length > 0 && path !== 'CONTRIBUTING.md')
      expect(text, short.join()).toMatch(/begins? with `JWT_ALLAUTH_`/);
  },
);

test('no example drops tables that MikroORM does not know', () => {
  const updates = blocks.flatMap(({ text }) => text.match(/schema\.update\(.*?\)/g) ?? []);
  expect(new Set(updates)).toEqual(new Set(['schema.update({ safe: true })']));
});

test('the index of the manual lists every page once', () => {
  const index = 'docs/README.md';
  const listed = linksOf(pages.get(index) ?? '').map((link) => placeOf(link, index));
  const others = [...pages.keys()].filter((path) => path.startsWith('docs/') && path !== index);
  expect(listed.toSorted(), 'give each new page a line in docs/README.md').toEqual(others);
});

test('the package on npm links to the repository, and contains all pages', () => {
  expect(manifest.repository.url).toBe('git+https://github.com/jwt-allauth/jwt-allauth.git');
  expect(manifest.homepage).toBe('https://github.com/jwt-allauth/jwt-allauth#readme');
  expect(manifest.bugs.url).toBe('https://github.com/jwt-allauth/jwt-allauth/issues');
  expect(manifest.files).toEqual(expect.arrayContaining(['dist/src', 'src', 'docs', 'CHANGELOG.md']));
});

test('the changelog has each entry once, and renamed names only under "Changed"', () => {
  const sections = readFileSync('CHANGELOG.md', 'utf8').split(/^#+ /m);
  const entries = sections.flatMap((section) => section.split(/^- /m).slice(1)).map((entry) => entry.trim());
  const repeated = entries.filter((entry, index) => entries.indexOf(entry) !== index);
  expect(repeated, 'git merges this file by union: delete the second copies').toEqual([]);
  expect(sections.filter((section) => section.includes('- Renamed')).map((section) => section.split('\n')[0])).toEqual([
    'Changed',
  ]);
});
