import { CurrentUser, Delete, Get, OnUndefined, Param, Post } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { ErrorCode } from '../../error.js';
import { authError } from '../../error-table.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { closedObject, type JsonSchema, type NamedSchema } from '../../http/json-schema.js';
import type { SessionService } from '../../sessions/session.service.js';
import type { SessionInfo } from '../../sessions/session-info.js';
import { isUuid } from '../../users/user-key.js';

/** A session as its owner is shown it; instants in ISO 8601. */
type SessionBody = SessionInfo & { readonly current: boolean };

/** The routes of a user's sessions and devices. */
export function createSessionsController(
  { sessions }: { readonly sessions: SessionService },
  { prefix }: ControllerParts,
) {
  @AuthController(prefix, { name: 'sessions', isBearer: true })
  class SessionsController {
    @Get('/sessions')
    @DescribeRoute({
      id: 'sessions',
      tag: 'Sessions',
      summary: 'The own sessions, the one used last first',
      answers: { 200: { description: 'At most 200 sessions.', json: { items: SESSION } } },
    })
    async list(@CurrentUser() { claims }: SessionPrincipal): Promise<SessionBody[]> {
      const own = await sessions.listFor(claims);
      return own.map(({ id, ...rest }) => ({ id, current: id === claims.session, ...rest }));
    }

    @Delete('/sessions/:id')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'revokeSession',
      tag: 'Sessions',
      summary: 'End one of the own sessions',
      answers: { 204: { description: 'The session has ended.' } },
      errors: [ErrorCode.SessionNotFound],
    })
    async revoke(@CurrentUser() { claims }: SessionPrincipal, @Param('id') id: string): Promise<void> {
      const ended = isUuid(id) ? await sessions.revokeFor(claims, { session: id }) : 0;
      if (ended === 0) throw authError('session_not_found');
    }

    @Post('/sessions/revoke-others')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'revokeOtherSessions',
      tag: 'Sessions',
      summary: 'End every session but this one',
      answers: { 204: { description: 'The others have ended.' } },
    })
    async revokeOthers(@CurrentUser() { claims }: SessionPrincipal): Promise<void> {
      await sessions.revokeFor(claims, 'others');
    }
  }
  return SessionsController;
}

const text: JsonSchema = { type: 'string' };
const maybeText: JsonSchema = { type: ['string', 'null'] };
const instant: JsonSchema = { type: 'string', format: 'date-time' };
const SESSION: NamedSchema = {
  name: 'AuthSession',
  schema: closedObject({
    id: { ...text, format: 'uuid' },
    current: { type: 'boolean', description: 'Whether the access token belongs to it.' },
    createdAt: instant,
    lastUsedAt: { ...instant, description: 'To the minute; a refresh is shown when its grace is over.' },
    expiresAt: { ...instant, description: 'When it ends if it is not used, to the minute.' },
    ip: maybeText,
    browser: maybeText,
    os: maybeText,
    device: maybeText,
  }),
};
