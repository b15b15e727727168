import { Eta } from 'eta';
import type { Settings } from '../settings/settings.js';
import { TemplateFolder } from '../settings/template-folder.js';
import { DEFAULT_LAYOUT, defaultHtml, defaultText, type MailWords } from './mail-words.js';
import type { Mail } from './mailer.js';

/** What a mail tells. */
export interface MailData {
  /** Host of PUBLIC_URL. */
  readonly app: string;
  readonly link?: string;
  /** How long the link is good, in words. */
  readonly expiresIn?: string;
  /** The address that somebody wants to change to. */
  readonly newEmail?: string;
  /** When somebody signed up, in UTC, and from where; what is not known is not there. */
  readonly signedUpAt?: string;
  readonly signedUpFrom?: string;
}

const SUBJECT = /^Subject: *(\S.*)\r?\n(?:\r?\n)?/;

/** With which every template is tried at the start. */
const SAMPLE_DATA = {
  app: 'app.example.com',
  link: 'https://app.example.com/',
  expiresIn: '1 hour',
  newEmail: 'a@example.com',
  signedUpAt: '2026-11-29 20:46 UTC',
  signedUpFrom: '203.0.113.1 (Firefox, Linux)',
};

/**
 * The words and the looks of mails. A file `<name>.text.eta`, `<name>.html.eta` or `layout.html.eta` in TEMPLATES_DIR
 * stands in the place of ours; the first line of a text is `Subject: …`.
 */
export class MailTemplates {
  readonly #text = new Eta({ autoEscape: false, autoTrim: false });
  readonly #html = new Eta({ autoEscape: true, autoTrim: false });

  /**
   * @param words the words of every mail, by its name
   * @throws SettingsError for a TEMPLATES_DIR that is no folder, and for a template that cannot be read or filled in
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

  /** Whether a mail leads to the page where a new password is asked for. */
  leadsToReset(name: string): boolean {
    return this.words[name]?.hint !== undefined;
  }

  /** A mail, but for whom it is to. */
  render(name: string, given: MailData): Omit<Mail, 'to'> {
    const data = printable(given);
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

/** Without characters that are not seen: with them something could pretend to be something else. */
function printable(data: MailData): MailData {
  const entries = Object.entries(data).map(([key, value]) => [
    key,
    typeof value === 'string' ? value.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '') : value,
  ]);
  return Object.fromEntries(entries) as MailData;
}
