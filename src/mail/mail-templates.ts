import { Eta } from 'eta';
import type { Settings } from '../settings/settings.js';
import { TemplateFolder } from '../settings/template-folder.js';
import { DEFAULT_LAYOUT, defaultHtml, defaultText, MAIL_NAMES, type MailName } from './default-templates.js';
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
}

const SUBJECT = /^Subject: *(.+)\r?\n(?:\r?\n)?/;

/**
 * The words and the looks of mails. A file `<name>.text.eta`, `<name>.html.eta` or `layout.html.eta` in TEMPLATES_DIR stands in
 * the place of ours; the first line of a text is `Subject: …`.
 */
export class MailTemplates {
  readonly #text = new Eta({ autoEscape: false, autoTrim: false });
  readonly #html = new Eta({ autoEscape: true, autoTrim: false });

  /** @throws SettingsError for a TEMPLATES_DIR that is no folder, and for a template that cannot be used */
  constructor(settings: Settings) {
    const folder = new TemplateFolder(settings.templatesDir);
    this.#html.loadTemplate('@layout', folder.read('layout.html') ?? DEFAULT_LAYOUT);
    for (const name of MAIL_NAMES) {
      this.#text.loadTemplate(`@${name}`, folder.read(`${name}.text`) ?? defaultText(name));
      this.#html.loadTemplate(`@${name}`, folder.read(`${name}.html`) ?? defaultHtml(name));
    }
  }

  /** A mail, but for whom it is to. */
  render(name: MailName, data: MailData): Omit<Mail, 'to'> {
    const text = this.#text.render(`@${name}`, mapText(data));
    const subject = SUBJECT.exec(text)?.[1]?.trim() ?? data.app;
    const body = this.#html.render(`@${name}`, data);
    const html = this.#html.render('@layout', { ...data, subject, body });
    return { subject, text: text.replace(SUBJECT, ''), html };
  }
}

/** Without control characters: in a text nothing else could pretend to be something. */
function mapText(data: MailData): MailData {
  const entries = Object.entries(data).map(([key, value]) => [key, String(value ?? '').replace(/\p{Cc}/gu, '')]);
  return Object.fromEntries(entries) as MailData;
}
