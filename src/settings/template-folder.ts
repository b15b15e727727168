import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { namesOf } from './setting-names.js';
import type { Settings } from './settings.js';
import { SettingsError } from './settings-error.js';

/** The folder with the app's own templates of mails and pages. Without TEMPLATES_DIR, all templates are built-in. */
export class TemplateFolder {
  /** @throws SettingsError if the path is not a folder */
  constructor(private readonly settings: Pick<Settings, 'templatesDir'>) {
    const { templatesDir: path } = settings;
    if (path === undefined || statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    throw this.#fault('is not a folder');
  }

  /**
   * Calls `load` with the content of `<name>.eta`. If the folder has no such file, it calls `load` with `builtIn`.
   *
   * @throws SettingsError with the file name, if the file cannot be read or `load` throws
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
    // Some editors write a byte order mark (U+FEFF) at the start of a file. It is not part of the template.
    return existsSync(file) ? readFileSync(file, 'utf8').replace(/^\uFEFF/, '') : undefined;
  }

  /** @param message continues a sentence that begins with the name of the setting */
  #fault(message: string): SettingsError {
    return new SettingsError([{ setting: namesOf(this.settings)('templatesDir'), message }]);
  }
}
