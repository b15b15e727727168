import { CurrentUser, Delete, Get, OnUndefined, Post } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import type { MfaService, MfaStatus } from './mfa.service.js';
import { MFA_STATUS, MFA_TAG, RECOVERY_CODES } from './totp-descriptions.js';

/** The routes that show and change the second factors of a signed-in user. */
export function createMfaController(mfa: MfaService, prefix: string) {
  @AuthController(prefix, { isBearer: true })
  class MfaController {
    @Get('/mfa')
    @DescribeRoute({
      id: 'mfaStatus',
      tag: MFA_TAG,
      summary: 'Get your second factors',
      answers: { 200: { description: 'The second factors.', json: MFA_STATUS } },
    })
    async status(@CurrentUser() { claims }: SessionPrincipal): Promise<MfaStatus> {
      return mfa.statusFor(claims);
    }

    @Post('/mfa/recovery-codes')
    @DescribeRoute({
      id: 'renewRecoveryCodes',
      tag: MFA_TAG,
      summary: 'Get new recovery codes',
      description: 'The old ones do not work any more.',
      answers: { 200: { description: 'Ten codes.', json: RECOVERY_CODES } },
      errors: ['totp_not_enabled'],
      isFresh: true,
    })
    async renew(@CurrentUser() { claims }: SessionPrincipal) {
      return { recoveryCodes: await mfa.renewRecoveryCodes(claims) };
    }

    @Delete('/mfa/totp')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'removeTotp',
      tag: MFA_TAG,
      summary: 'Remove the authenticator app and the recovery codes',
      answers: { 204: { description: 'They were removed.' } },
      errors: ['totp_not_enabled', 'second_factor_required_by_policy'],
      isFresh: true,
    })
    async remove(@CurrentUser() { claims }: SessionPrincipal): Promise<void> {
      await mfa.removeTotp(claims);
    }
  }
  return MfaController;
}
