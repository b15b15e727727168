import { Eta } from 'eta';
import type { Settings } from '../../settings/settings.js';
import { TemplateFolder } from '../../settings/template-folder.js';
import { DEFAULT_LAYOUT, defaultPage, PAGE_NAMES, type PageName } from './default-pages.js';

/** What a page shows. */
export interface PageData {
  /** Host of PUBLIC_URL. */
  readonly app: string;
  readonly title?: string;
  /** Path to which the form is sent. */
  readonly action?: string;
  readonly email?: string;
  /** Where to go on. */
  readonly link?: string;
  /** What was wrong with the last try. */
  readonly error?: string;
  /** Whether the same will do later. */
  readonly isPassing?: boolean;
  /** Whether a sign-in with the second factor has to follow. */
  readonly needsSecondFactor?: boolean;
  /** Where a new link can be asked for. */
  readonly requestUrl?: string;
  /** Characters of a new password. */
  readonly minLength?: number;
}

/** With which every template is tried at the start. */
const SAMPLE: PageData = {
  app: 'a',
  title: 'a',
  action: '/',
  email: 'a',
  link: '/',
  error: 'a',
  isPassing: true,
  needsSecondFactor: true,
  requestUrl: '/',
  minLength: 8,
};

/**
 * The words and the looks of the built-in pages. A file `<name>.page.eta` or `layout.page.eta` in TEMPLATES_DIR stands
 * in the place of ours.
 */
export class PageTemplates {
  readonly #eta = new Eta({ autoEscape: true, autoTrim: false });

  /**
   * @throws SettingsError for a TEMPLATES_DIR that is no folder, and for a template that cannot be read or filled in
   */
  constructor(settings: Settings) {
    const folder = new TemplateFolder(settings);
    folder.use('layout.page', DEFAULT_LAYOUT, (template) => {
      this.#eta.loadTemplate('@layout', template);
      this.#eta.render('@layout', { app: '', heading: '', body: '' });
    });
    for (const name of PAGE_NAMES) {
      folder.use(`${name}.page`, defaultPage(name), (template) => {
        this.#eta.loadTemplate(`@${name}`, template);
        for (const data of [SAMPLE, { app: '' }]) this.#eta.render(`@${name}`, data);
      });
    }
  }

  /** A whole page, in which all data are escaped. */
  render(name: PageName, data: PageData): string {
    const body = this.#eta.render(`@${name}`, data);
    const heading = data.title ?? /<h1>([^<]*)<\/h1>/.exec(body)?.[1] ?? data.app;
    return this.#eta.render('@layout', { ...data, heading, body });
  }
}
