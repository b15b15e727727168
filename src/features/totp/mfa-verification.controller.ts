import { Body, Post, Req, Res } from 'routing-controllers';
import { ErrorCode } from '../../error.js';
import { authError } from '../../error-table.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import type { HttpRequest, HttpResponse } from '../../http/http-message.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { tokenAnswer } from '../../http/token-answers.js';
import { validateInput } from '../../http/validate-input.js';
import { MfaVerificationInput } from './mfa-verification.input.js';
import type { ChallengeAnswer, MfaVerificationService } from './mfa-verification.service.js';
import { FIELDS, MFA_TAG } from './totp-descriptions.js';

const { challenge, code, recoveryCode } = FIELDS;

/** The route that answers the challenge of a sign-in. */
export function createMfaVerificationController(
  mfaVerification: MfaVerificationService,
  { prefix, settings, transport, originGuard }: ControllerParts,
) {
  @AuthController(prefix, { originGuard, isJsonOnly: true })
  class MfaVerificationController {
    @Post('/mfa/verify')
    @DescribeRoute({
      id: 'verifyMfa',
      tag: MFA_TAG,
      summary: 'Answer the challenge of a sign-in',
      body: { input: MfaVerificationInput, fields: { challenge, code, recoveryCode } },
      answers: { 200: tokenAnswer('Signed in.', settings) },
      errors: ['challenge_not_valid', 'code_not_valid', ErrorCode.IncorrectCredentials],
      isLimited: true,
      isIssuingTokens: true,
    })
    async verify(
      @Body({ type: MfaVerificationInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      const answer = answerOf(validateInput(MfaVerificationInput, body));
      const tokens = await mfaVerification.verify(answer, transport.clientOf(request));
      return transport.signIn(request, response, tokens);
    }
  }
  return MfaVerificationController;
}

/** @throws validation_failed unless the input has exactly one of `code` and `recoveryCode` */
function answerOf({ challenge, code, recoveryCode }: MfaVerificationInput): ChallengeAnswer {
  if (code !== undefined && recoveryCode === undefined) return { challenge, method: 'totp', code };
  if (code === undefined && recoveryCode !== undefined)
    return { challenge, method: 'recovery_code', code: recoveryCode };
  throw authError('validation_failed', {
    errors: [{ field: 'code', messages: ['must be given, or else recoveryCode'] }],
  });
}
