import { mkdir, writeFile } from 'node:fs/promises';
import { PageTemplates } from '../../src/http/pages/page-templates.js';
import { MailTemplates } from '../../src/mail/mail-templates.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { STANDARD_MODULES } from '../../src/standard-modules.js';
import { launchChromium } from './chromium.js';

// Makes the README's pictures of the mails and pages from the templates: `npm run pictures`.

const APP = 'app.example.com';
const settings = resolveSettings({ secretKey: 'only for pictures, and long enough', development: true });
const pages = new PageTemplates(settings);
const mails = new MailTemplates(settings, Object.assign({}, ...STANDARD_MODULES.map(({ mails }) => mails)));
const form = { app: APP, title: 'Set a new password', action: '/', email: 'ada@example.com' };

function mail(name: string, path: string, expiresIn: string): string {
  return mails.render(name, { app: APP, link: `https://${APP}/auth${path}/Vb0x3…`, expiresIn }).html;
}

const SHEETS: Record<string, { readonly width: number; readonly height: number; readonly frames: readonly string[] }> =
  {
    mails: {
      width: 440,
      height: 520,
      frames: [
        mail('email-verification', '/registration/verification', '3 days'),
        mail('password-reset', '/password/reset/confirm', '1 hour'),
        mail('invitation', '/registration/set-password', '7 days'),
      ],
    },
    pages: {
      width: 330,
      height: 540,
      frames: [
        pages.render('set-password', form),
        pages.render('set-password', { ...form, error: 'It is one of the most common passwords.' }),
        pages.render('email-verified', { app: APP }),
        pages.render('link-failed', { app: APP, requestUrl: '/' }),
      ],
    },
  };

const browser = await launchChromium(APP, 1);
await mkdir('demo/pictures', { recursive: true });
for (const [name, { width, height, frames }] of Object.entries(SHEETS)) {
  const viewport = { width: frames.length * (width + 12) + 12, height: height + 24 };
  const page = await browser.newPage({ viewport, colorScheme: 'light' });
  const cells = frames.map(
    (html) => `<iframe srcdoc="${html.replace(/&/g, '&amp;').replace(/"/g, '&quot;')}"></iframe>`,
  );
  const style = `body { margin: 12px; display: flex; gap: 12px } iframe { width: ${width}px; height: ${height}px; border: 0; border-radius: 12px }`;
  await page.setContent(`<style>${style}</style>${cells.join('')}`);
  await writeFile(`demo/pictures/${name}.png`, await page.screenshot());
}
await browser.close();
