import type { Server } from 'node:http';
import { MikroORM } from '@mikro-orm/postgresql';
import { createJwtAllauth, type SettingsInput } from 'jwt-allauth';
import { createExpressServer, useContainer } from 'routing-controllers';
import { Container } from 'typedi';
import { AdminController } from './admin.controller.js';
import { serveApiDocs } from './api-docs.js';
import { HealthController } from './health.controller.js';
import { ProfileController } from './profile.controller.js';

/** The demo's app, listening. This is all that an app has to do for the library. */
export async function startServer(orm: MikroORM, settings: SettingsInput, port: number, host: string): Promise<Server> {
  Container.set(MikroORM, orm);
  useContainer(Container);
  const auth = await createJwtAllauth({ orm, settings });
  const options = auth.serverOptions({ controllers: [ProfileController, AdminController, HealthController] });
  const app = createExpressServer(options);
  serveApiDocs(app, auth, options);
  return new Promise((resolve, reject) => {
    const server: Server = app.listen(port, host, () => resolve(server));
    server.once('error', reject);
  });
}
