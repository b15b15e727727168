import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { HttpResponse } from '../../src/http/http-message.js';
import { DEFAULT_PAGES } from '../../src/http/pages/default-pages.js';
import { sendPage } from '../../src/http/pages/page-response.js';
import { PageTemplates } from '../../src/http/pages/page-templates.js';
import { lifetimeInWords } from '../../src/mail/lifetime-in-words.js';
import { MailTemplates } from '../../src/mail/mail-templates.js';
import type { MailWords } from '../../src/mail/mail-words.js';
import { resolveSettings, type SettingsInput } from '../../src/settings/settings.js';
import { SettingsError } from '../../src/settings/settings-error.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { SHIPPED_MODULES } from '../support/shipped-modules.js';
import { SECRET } from '../support/test-app.js';

const settings = (input: SettingsInput = {}) =>
  resolveSettings({ secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, ...input });
const WORDS: Record<string, MailWords> = Object.assign({}, ...SHIPPED_MODULES.map(({ mails }) => mails));
const PAGES_OF_MODULES: Record<string, string> = Object.assign({}, ...SHIPPED_MODULES.map(({ pages }) => pages));
const EVIL = `"><script>alert('x')</script>&`;
const DATA = { app: 'app.example.com', title: 'Choose', action: '/a', email: 'a@example.com', error: 'It is short.' };

/** How a page is sent. */
function sent(html: string) {
  const headers: Record<string, string> = {};
  const answer = { status: 0, body: '' };
  const response: Partial<HttpResponse> = {
    setHeader: (name, value) => {
      headers[name.toLowerCase()] = value;
    },
    end: (body) => {
      answer.body = body;
    },
  };
  response.status = (code) => {
    answer.status = code;
    return response as HttpResponse;
  };
  sendPage(response as HttpResponse, 400, html);
  return { ...answer, headers };
}

describe.each(Object.keys({ ...DEFAULT_PAGES, ...PAGES_OF_MODULES }))('the page %s', (name) => {
  const html = new PageTemplates(settings(), PAGES_OF_MODULES).render(name, {
    ...DATA,
    requestUrl: 'https://app.example.com/forgot',
  });

  test('is a complete page in one language, with one heading, for every width', () => {
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(html.match(/<h1>/g)).toHaveLength(1);
    expect(html).toMatch(/<title>[^<]+<\/title>/);
    expect(html).toContain('name="viewport" content="width=device-width, initial-scale=1"');
  });

  test('has a label for every visible field', () => {
    for (const [input] of html.matchAll(/<input [^>]*>/g)) {
      if (/ hidden/.test(input)) continue;
      const id = /id="([^"]+)"/.exec(input)?.[1];
      expect(html).toContain(`<label for="${id}">`);
    }
  });

  test('runs no script, loads nothing, and is sent with a policy that forbids both', () => {
    expect(html).not.toMatch(/<script|src=|<link|@import|url\(|\son\w+=|style="/);
    const { headers, status, body } = sent(html);
    const style = /<style>([\s\S]*?)<\/style>/.exec(html)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect([status, body]).toEqual([400, html]);
    expect(headers).toEqual({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'x-robots-tag': 'noindex',
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
    });
  });

  test('escapes all inserted values', () => {
    const data = { app: EVIL, title: EVIL, action: EVIL, email: EVIL, error: EVIL, requestUrl: EVIL };
    const shown = new PageTemplates(settings(), PAGES_OF_MODULES).render(name, data);
    expect(shown).not.toContain('<script');
    expect(shown).not.toContain(EVIL);
  });
});

test('a fault of a password is announced to screen readers as well', () => {
  const html = new PageTemplates(settings()).render('set-password', DATA);
  expect(html).toContain('role="alert">It is short.<');
  expect(html).toMatch(/<input id="new-password"[^>]* aria-describedby="rules error" aria-invalid="true">/);
  const first = new PageTemplates(settings()).render('set-password', { ...DATA, error: undefined });
  expect(first).not.toMatch(/<p [^>]*role="alert"|aria-invalid/);
});

describe('the colours of the pages', () => {
  const html = new PageTemplates(settings()).render('done', DATA);
  const themes = [...html.matchAll(/:root \{([^}]*)\}/g)].map(([, body = '']) =>
    Object.fromEntries([...body.matchAll(/--([\w-]+): (#\w{6})/g)].map(([, name, value]) => [name, value])),
  );

  test.each([
    ['text', 'card'],
    ['hint', 'card'],
    ['action', 'card'],
    ['error', 'card'],
    ['on-action', 'action'],
    ['text', 'page'],
  ])('%s on %s is readable, in light and dark (WCAG 2 AA)', (front, back) => {
    expect(themes).toHaveLength(2);
    for (const theme of themes) expect(contrast(theme[front], theme[back])).toBeGreaterThanOrEqual(4.5);
  });
});

describe.each(Object.keys(WORDS))('the mail %s', (name) => {
  const link = 'https://app.example.com/auth/x/KEY';
  const data = { app: 'app.example.com', link, expiresIn: '3 days', newEmail: 'new@example.com', code: 'ABCD-EFGH' };

  test('has a subject, a text and an HTML part, with the same link in both', () => {
    const mail = new MailTemplates(settings(), WORDS).render(name, data);
    expect(mail.subject).toMatch(/^[A-Z][\w.' -]+$/);
    expect(mail.text).toContain(link);
    expect(mail.html).toContain(`href="${link}"`);
    expect(mail.text).not.toMatch(/Subject:|<|undefined/);
    expect(mail.html).not.toMatch(/undefined|<script|<img|src=/);
  });

  test('escapes all inserted values, and cannot be used to inject headers', () => {
    const mail = new MailTemplates(settings(), WORDS).render(name, {
      ...data,
      newEmail: `${EVIL}\r\nBcc: x@example.com\u202egnp`,
    });
    expect(mail.html).not.toContain('<script');
    expect(mail.subject).not.toMatch(/[\r\n]|Bcc/);
    expect(mail.text).not.toMatch(/^Bcc/m);
    expect(mail.text + mail.html).not.toContain('\u202e');
  });
});

describe("the app's templates", () => {
  test('replace those of the library, one by one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-templates-'));
    await writeFile(join(directory, 'invitation.text.eta'), 'Subject: Come in\n\nHere: <%~ it.link %>');
    await writeFile(join(directory, 'layout.html.eta'), '<main><%~ it.body %></main>');
    await writeFile(join(directory, 'done.page.eta'), '<h1>All done</h1>');
    const own = settings({ templatesDir: directory });
    const mail = new MailTemplates(own, WORDS).render('invitation', { app: 'a', link: 'https://x/y' });
    expect([mail.subject, mail.text]).toEqual(['Come in', 'Here: https://x/y']);
    expect(mail.html).toMatch(/^<main><h1/);
    expect(new PageTemplates(own).render('done', DATA)).toContain('<h1>All done</h1>');
    expect(new PageTemplates(own).render('link-failed', DATA)).toContain('cannot be used');
    await rm(directory, { recursive: true });
  });

  test.each([
    ['invitation.text', 'Subject: Come in\n\n<% if ( %>', MailTemplates],
    ['invitation.text', 'Come in: <%= it.link %>', MailTemplates],
    ['account-exists.text', 'Subject: Hello\n\n<%= it.link.length %>', MailTemplates],
    ['password-reset.html', '<%= it.nothing.here %>', MailTemplates],
    ['layout.html', '<%= it.nothing.here %>', MailTemplates],
    ['done.page', '<% if ( %>', PageTemplates],
    ['link-failed.page', '<%= it.nothing.here %>', PageTemplates],
    ['layout.page', '<%= it.nothing.here %>', PageTemplates],
  ])(
    'that cannot be used stop the start with an error that names them: %s with %j',
    async (name, template, Templates) => {
      const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-templates-'));
      await writeFile(join(directory, `${name}.eta`), template);
      const own = settings({ templatesDir: directory });
      const start = () => (Templates === MailTemplates ? new MailTemplates(own, WORDS) : new PageTemplates(own));
      expect(start).toThrow(SettingsError);
      expect(start).toThrow(`templatesDir has ${name}.eta, which cannot be used: `);
      await rm(directory, { recursive: true });
    },
  );

  test('may begin with a byte order mark', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-templates-'));
    await writeFile(join(directory, 'invitation.text.eta'), '\uFEFFSubject: Come in\n\nHello');
    const mail = new MailTemplates(settings({ templatesDir: directory }), WORDS).render('invitation', { app: 'a' });
    expect([mail.subject, mail.text]).toEqual(['Come in', 'Hello']);
    await rm(directory, { recursive: true });
  });

  test('are read from a folder that must exist', () => {
    expect(() => new MailTemplates(settings({ templatesDir: '/nowhere' }), WORDS)).toThrow(/templatesDir/);
  });
});

test.each([
  [1, '1 second'],
  [90, '90 seconds'],
  [3600, '1 hour'],
  [5400, '90 minutes'],
  [259_200, '3 days'],
])('%i seconds are written as %s', (seconds, words) => {
  expect(lifetimeInWords(seconds)).toBe(words);
});

function contrast(one = '', other = ''): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

/** Relative luminance (WCAG 2.2). */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
