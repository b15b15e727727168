import {
  Authorized,
  CurrentUser,
  Delete,
  Get,
  JsonController,
  OnUndefined,
  Param,
  Post,
  UseBefore,
} from 'routing-controllers';
import { Service } from 'typedi';
import { Principal } from '../authentication/principal.js';
import { authError } from '../error-table.js';
import type { SessionService } from '../sessions/session.service.js';
import type { SessionInfo } from '../sessions/session-info.js';
import { isUuid } from '../users/user-key.js';
import { noStore } from './no-store.js';
import { untransformed } from './untransformed.js';

/** A session as its owner is shown it; instants in ISO 8601. */
type SessionBody = SessionInfo & { readonly current: boolean };

/** The routes of a user's sessions and devices. */
export function createSessionsController(prefix: string, sessions: SessionService) {
  @Service()
  @Authorized()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore)
  class SessionsController {
    @Get('/sessions')
    async list(@CurrentUser() { claims }: Principal): Promise<SessionBody[]> {
      const own = await sessions.listFor(claims);
      return own.map(({ id, ...rest }) => ({ id, current: id === claims.session, ...rest }));
    }

    @Delete('/sessions/:id')
    @OnUndefined(204)
    async revoke(@CurrentUser() { claims }: Principal, @Param('id') id: string): Promise<void> {
      const ended = isUuid(id) ? await sessions.revokeFor(claims, { session: id }) : 0;
      if (ended === 0) throw authError('session_not_found');
    }

    @Post('/sessions/revoke-others')
    @OnUndefined(204)
    async revokeOthers(@CurrentUser() { claims }: Principal): Promise<void> {
      await sessions.revokeFor(claims, 'others');
    }
  }
  return SessionsController;
}
