import { Eta } from 'eta';
import type { Settings } from '../../settings/settings.js';
import { TemplateFolder } from '../../settings/template-folder.js';
import { DEFAULT_LAYOUT, DEFAULT_PAGES } from './default-pages.js';

/** The data of a page template. */
export interface PageData {
  /** Host of PUBLIC_URL. */
  readonly app: string;
  readonly title?: string;
  /** The path to which the form is submitted. */
  readonly action?: string;
  readonly email?: string;
  /** The URL of the next step. */
  readonly link?: string;
  /** The fault of the last attempt. */
  readonly error?: string;
  /** Whether a later retry may succeed. */
  readonly isTemporary?: boolean;
  /** Whether the user still has to sign in with the second factor. */
  readonly needsSecondFactor?: boolean;
  /** The URL where a new link can be requested. */
  readonly requestUrl?: string;
  /** Minimum length of a new password. */
  readonly minLength?: number;
}

/** The data with which every template is tested at start-up. */
const SAMPLE: PageData = {
  app: 'a',
  title: 'a',
  action: '/',
  email: 'a',
  link: '/',
  error: 'a',
  isTemporary: true,
  needsSecondFactor: true,
  requestUrl: '/',
  minLength: 8,
};

/**
 * The templates of the built-in pages. A file `<name>.page.eta` or `layout.page.eta` in TEMPLATES_DIR replaces a
 * built-in template.
 */
export class PageTemplates {
  readonly #eta = new Eta({ autoEscape: true, autoTrim: false });

  /**
   * @param modulePages the bodies of the pages of modules, by name
   * @throws SettingsError for a TEMPLATES_DIR that is not a folder, and for a template that cannot be read or rendered
   */
  constructor(settings: Settings, modulePages: Readonly<Record<string, string>> = {}) {
    const folder = new TemplateFolder(settings);
    folder.use('layout.page', DEFAULT_LAYOUT, (template) => {
      this.#eta.loadTemplate('@layout', template);
      this.#eta.render('@layout', { app: '', heading: '', body: '' });
    });
    for (const [name, body] of Object.entries({ ...DEFAULT_PAGES, ...modulePages })) {
      folder.use(`${name}.page`, body, (template) => {
        this.#eta.loadTemplate(`@${name}`, template);
        for (const data of [SAMPLE, { app: '' }]) this.#eta.render(`@${name}`, data);
      });
    }
  }

  /** Renders a whole page; all data are escaped. */
  render(name: string, data: PageData): string {
    const body = this.#eta.render(`@${name}`, data);
    const heading = data.title ?? /<h1>([^<]*)<\/h1>/.exec(body)?.[1] ?? data.app;
    return this.#eta.render('@layout', { ...data, heading, body });
  }
}
