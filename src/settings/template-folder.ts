import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SettingsError } from './settings-error.js';

/** The app's own templates of mails and pages (TEMPLATES_DIR). */
export class TemplateFolder {
  /** @throws SettingsError for what is no folder */
  constructor(private readonly path: string | undefined) {
    if (path === undefined || statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    throw new SettingsError([{ setting: 'templatesDir', message: 'is no folder that can be read' }]);
  }

  /** The text of `<name>.eta`; undefined where the app has none. */
  read(name: string): string | undefined {
    if (this.path === undefined) return undefined;
    const file = join(this.path, `${name}.eta`);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  }
}
