import { Table } from '../../database/table.js';
import { TableSweep } from '../../database/table-sweep.js';
import type { AuthModule } from '../../module.js';
import { namesOf, withNames } from '../../settings/setting-names.js';
import { createMagicLinkController } from './magic-link.controller.js';
import { createMagicLinkEntity, MAGIC_LINK_ENTITY } from './magic-link.entity.js';
import { MAGIC_LINK_MAILS } from './magic-link.mails.js';
import { CreateMagicLink } from './magic-link.migration.js';
import { MagicLinkService } from './magic-link.service.js';
import { MagicLinkSettings } from './magic-link.settings.js';
import { MAGIC_LINK_ERRORS } from './magic-link-errors.js';
import { MagicLinkForm } from './magic-link-form.js';
import { createMagicLinkPageController } from './magic-link-page.controller.js';
import { MAGIC_LINK_PAGES } from './magic-link-pages.js';
import { MagicLinkRequests } from './magic-link-requests.js';
import { MagicLinkStore } from './magic-link-store.js';
import { MailedCodes } from './mailed-codes.js';

/** Sign-in with a link or a code that is mailed to the user. It needs PUBLIC_URL, from which the links are built. */
export const magicLinkModule: AuthModule<MagicLinkSettings> = {
  name: 'magic-link',
  settings: MagicLinkSettings,
  errors: MAGIC_LINK_ERRORS,
  mails: MAGIC_LINK_MAILS,
  pages: MAGIC_LINK_PAGES,
  entities: (user) => [createMagicLinkEntity(user)],
  migrations: [{ name: 'JwtAllauth_20261201_magic_link', class: CreateMagicLink }],
  create(kernel, settings) {
    const { make, database, orm, http } = kernel;
    const sweeps = {
      magicLinks: new TableSweep(database, Table.named(orm, MAGIC_LINK_ENTITY), { since: 'expiresAt' }),
    };
    const store = { ...kernel, magicLinkSettings: settings, magicLinkStore: new MagicLinkStore(kernel) };
    const codes = { ...store, mailedCodes: new MailedCodes(store) };
    const magicLinks = make(MagicLinkService, { ...codes, magicLinkRequests: new MagicLinkRequests(codes) });
    const { links } = http;
    if (!links) return { sweeps };
    if (kernel.settings.emailVerification === 'none')
      kernel.logger.warn(
        { set: withNames('{emailVerification}=optional', namesOf(kernel.settings)) },
        'a sign-in by mail does not take an account back from a stranger: every address counts as confirmed',
      );
    const form = new MagicLinkForm({ magicLinks, magicLinkSettings: settings }, links);
    return {
      controllers: [createMagicLinkController(magicLinks, http), createMagicLinkPageController(form, settings, links)],
      signInMethods: [
        { name: 'magic-link', isUsableBy: async ({ isActive, emailVerified }) => isActive && emailVerified },
      ],
      sweeps,
    };
  },
};
