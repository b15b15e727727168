import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { MikroORM } from '@mikro-orm/postgresql';
import { Authorized, CurrentUser, createExpressServer, Get, JsonController, useContainer } from 'routing-controllers';
import { Container, Service } from 'typedi';
import { magicLinkModule } from '../../src/features/magic-link/index.js';
import { passkeysModule } from '../../src/features/passkeys/index.js';
import { socialModule } from '../../src/features/social/index.js';
import { totpModule } from '../../src/features/totp/index.js';
import { createJwtAllauth, Principal } from '../../src/index.js';
import { CheapHasher } from './cheap-hasher.js';
import { codesModule, entitiesWith } from './codes.module.js';

useContainer(Container);

@Service()
@JsonController()
class WhoamiController {
  @Authorized()
  @Get('/whoami')
  whoami(@CurrentUser() user: Principal) {
    return { id: user.id };
  }
}

/** A server process of the app: it receives its settings as JSON, and sends its parent the port. */
const { databaseUrl, settings, hasFactors, hasMagicLinks, hasProviders, hasPasskeys } = JSON.parse(
  process.argv[2] ?? '{}',
);
const orm = await MikroORM.init({
  clientUrl: databaseUrl,
  entities: entitiesWith(
    ...(hasFactors ? [codesModule(), totpModule] : []),
    ...(hasMagicLinks ? [codesModule(), magicLinkModule] : []),
    ...(hasProviders ? [socialModule] : []),
    ...(hasPasskeys ? [passkeysModule, totpModule] : []),
  ),
});
const auth = await createJwtAllauth({ orm, settings, services: [CheapHasher] });
const server = createExpressServer(auth.serverOptions({ controllers: [WhoamiController] })).listen(
  0,
  '127.0.0.1',
  () => {
    process.send?.((server.address() as AddressInfo).port);
  },
);
process.once('disconnect', () => process.exit(0));
