import { Eta } from 'eta';
import type { Settings } from '../settings/settings.js';
import { TemplateFolder } from '../settings/template-folder.js';
import { DEFAULT_LAYOUT, defaultHtml, defaultText, type MailWords } from './mail-words.js';
import type { Mail } from './mailer.js';

/** The data for mail templates. */
export interface MailData {
  /** Host of PUBLIC_URL. */
  readonly app: string;
  readonly link?: string;
  /** The code of a mail that has one, in place of a link or together with it. */
  readonly code?: string;
  /** The lifetime of the link or code, for people. */
  readonly expiresIn?: string;
  /** The new address, in mails about a change of the address. */
  readonly newEmail?: string;
  /** The time of a sign-up, in UTC, and its client. Undefined if not known. */
  readonly signedUpAt?: string;
  readonly signedUpFrom?: string;
}

const SUBJECT = /^Subject: *(\S.*)\r?\n(?:\r?\n)?/;

/** Sample data, with which every template is rendered once at start-up. */
const SAMPLE_DATA = {
  app: 'app.example.com',
  link: 'https://app.example.com/',
  code: 'ABCD-EFGH',
  expiresIn: '1 hour',
  newEmail: 'a@example.com',
  signedUpAt: '2026-11-29 20:46 UTC',
  signedUpFrom: '203.0.113.1 (Firefox, Linux)',
};

/**
 * Renders mails from Eta templates. A file `<name>.text.eta`, `<name>.html.eta` or `layout.html.eta` in TEMPLATES_DIR
 * replaces the built-in template. The first line of a text template is `Subject: …`.
 */
export class MailTemplates {
  readonly #text = new Eta({ autoEscape: false, autoTrim: false });
  readonly #html = new Eta({ autoEscape: true, autoTrim: false });

  /**
   * @param words the default texts of all mails, by name
   * @throws SettingsError if TEMPLATES_DIR is not a folder, or a template cannot be read or rendered
   */
  constructor(
    settings: Settings,
    private readonly words: Readonly<Record<string, MailWords>>,
  ) {
    const folder = new TemplateFolder(settings);
    folder.use('layout.html', DEFAULT_LAYOUT, (template) => {
      this.#html.loadTemplate('@layout', template);
      this.#layout({ ...SAMPLE_DATA, subject: '', body: '' });
    });
    for (const [name, defaults] of Object.entries(words)) {
      folder.use(`${name}.text`, defaultText(defaults), (template) => {
        this.#text.loadTemplate(`@${name}`, template);
        for (const data of [SAMPLE_DATA, { app: '' }]) this.#words(name, data);
      });
      folder.use(`${name}.html`, defaultHtml(defaults), (template) => {
        this.#html.loadTemplate(`@${name}`, template);
        for (const data of [SAMPLE_DATA, { app: '' }]) this.#html.render(`@${name}`, data);
      });
    }
  }

  /** Whether a mail links to the app's page for requesting a password reset. */
  linksToReset(name: string): boolean {
    return this.words[name]?.hint !== undefined;
  }

  /** Renders a mail, without the recipient. */
  render(name: string, given: MailData): Omit<Mail, 'to'> {
    const data = withoutInvisible(given);
    const { subject, text } = this.#words(name, data);
    const body = this.#html.render(`@${name}`, data);
    return { subject, text, html: this.#layout({ ...data, subject, body }) };
  }

  #words(name: string, data: MailData): { subject: string; text: string } {
    const whole = this.#text.render(`@${name}`, data);
    const subject = SUBJECT.exec(whole)?.[1]?.trim();
    if (subject === undefined) throw new TypeError('its first line is not "Subject: …"');
    return { subject, text: whole.replace(SUBJECT, '') };
  }

  #layout(data: MailData & { readonly subject: string; readonly body: string }): string {
    return this.#html.render('@layout', data);
  }
}

/** Removes invisible characters, which could make a text look like another one. */
function withoutInvisible(data: MailData): MailData {
  const entries = Object.entries(data).map(([key, value]) => [
    key,
    typeof value === 'string' ? value.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '') : value,
  ]);
  return Object.fromEntries(entries) as MailData;
}
