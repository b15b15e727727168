import { Body, CurrentUser, Delete, OnUndefined, Req, Res } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import { signedOutAnswer } from '../../http/token-answers.js';
import { validateInput } from '../../http/validate-input.js';
import { AccountDeletionInput } from './account-deletion.input.js';
import type { AccountDeletionService } from './account-deletion.service.js';

/** The route with which users delete their account. */
export function createAccountDeletionController(
  { accountDeletion }: { readonly accountDeletion: AccountDeletionService },
  { prefix, settings, transport }: ControllerParts,
) {
  @AuthController(prefix, { name: 'accountDeletion', isBearer: true, isJsonOnly: true })
  class AccountDeletionController {
    @Delete('/user')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'deleteUser',
      tag: 'Account',
      summary: 'Delete your account and its data',
      body: AccountDeletionInput,
      answers: { 204: signedOutAnswer('The account was deleted.', settings) },
      errors: [ErrorCode.IncorrectCredentials, 'account_in_use'],
      isFresh: true,
      isLimited: true,
    })
    async delete(
      @CurrentUser() principal: SessionPrincipal,
      @Body({ type: AccountDeletionInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<void> {
      const { password } = validateInput(AccountDeletionInput, body);
      await accountDeletion.delete(principal.claims, password, clientOf(request));
      transport.forget(request, response);
    }
  }
  return AccountDeletionController;
}
