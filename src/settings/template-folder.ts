import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { namesOf } from './setting-names.js';
import type { Settings } from './settings.js';
import { SettingsError } from './settings-error.js';

/** Reads the app's own templates of mails and pages (TEMPLATES_DIR). */
export class TemplateFolder {
  /** @throws SettingsError if the path is not a folder */
  constructor(private readonly settings: Pick<Settings, 'templatesDir'>) {
    const { templatesDir: path } = settings;
    if (path === undefined || statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    throw this.#fault('is not a readable folder');
  }

  /**
   * Passes the content of `<name>.eta` to `load`; if the app has no such file, the built-in template.
   *
   * @throws SettingsError with the file name, if `load` throws
   */
  use(name: string, builtIn: string, load: (template: string) => void): void {
    try {
      load(this.#read(name) ?? builtIn);
    } catch (error) {
      const [reason = ''] = (error instanceof Error ? error.message : '').split('\n');
      throw this.#fault(`has ${name}.eta, which cannot be used: ${reason.trim()}`);
    }
  }

  #read(name: string): string | undefined {
    const { templatesDir: path } = this.settings;
    if (path === undefined) return undefined;
    const file = join(path, `${name}.eta`);
    return existsSync(file) ? readFileSync(file, 'utf8').replace(/^\uFEFF/, '') : undefined; // the byte order mark
  }

  #fault(message: string): SettingsError {
    return new SettingsError([{ setting: namesOf(this.settings)('templatesDir'), message }]);
  }
}
