import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { namesOf } from './setting-names.js';
import type { Settings } from './settings.js';
import { SettingsError } from './settings-error.js';

/** The app's own templates of mails and pages (TEMPLATES_DIR). */
export class TemplateFolder {
  /** @throws SettingsError for what is no folder */
  constructor(private readonly settings: Pick<Settings, 'templatesDir'>) {
    const { templatesDir: path } = settings;
    if (path === undefined || statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    throw this.#fault('is no folder that can be read');
  }

  /**
   * Puts the text of `<name>.eta` to use, or, where the app has none, ours.
   * @throws SettingsError that names the file
   */
  use(name: string, ours: string, put: (template: string) => void): void {
    try {
      put(this.#read(name) ?? ours);
    } catch (error) {
      const [reason = ''] = (error instanceof Error ? error.message : '').split('\n');
      throw this.#fault(`has ${name}.eta, which cannot be used: ${reason.trim()}`);
    }
  }

  #read(name: string): string | undefined {
    const { templatesDir: path } = this.settings;
    if (path === undefined) return undefined;
    const file = join(path, `${name}.eta`);
    return existsSync(file) ? readFileSync(file, 'utf8').replace(/^\uFEFF/, '') : undefined; // a mark of some editors
  }

  #fault(message: string): SettingsError {
    return new SettingsError([{ setting: namesOf(this.settings)('templatesDir'), message }]);
  }
}
