import { magicLinkModule } from '../../src/features/magic-link/index.js';
import { passkeysModule } from '../../src/features/passkeys/index.js';
import { socialModule } from '../../src/features/social/index.js';
import { totpModule } from '../../src/features/totp/index.js';
import type { AuthModule } from '../../src/module-kit.js';
import { STANDARD_MODULES } from '../../src/standard-modules.js';
import { pages } from './manual.js';

/** The modules that an app names itself. Their tables are on the pages of the modules. */
export const OPTIONAL_MODULES: readonly AuthModule[] = [
  totpModule as AuthModule,
  magicLinkModule as AuthModule,
  passkeysModule as AuthModule,
  socialModule as AuthModule,
];

/** All modules of the package. */
export const SHIPPED_MODULES: readonly AuthModule[] = [...STANDARD_MODULES, ...OPTIONAL_MODULES];

/** The pages of optional modules, without `.md`. */
export const MODULE_PAGES: readonly string[] = ['second-factor', 'magic-link', 'passkeys', 'providers'];

/** A page of `docs/`, followed by the pages of optional modules, whose tables continue those of the page. */
export function pageWithModules(name: string): string {
  return [name, ...MODULE_PAGES].map((each) => pages.get(`docs/${each}.md`) ?? '').join('\n');
}
