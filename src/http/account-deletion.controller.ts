import {
  Authorized,
  Body,
  CurrentUser,
  Delete,
  JsonController,
  OnUndefined,
  Req,
  Res,
  UseBefore,
} from 'routing-controllers';
import { Service } from 'typedi';
import type { AccountDeletionService } from '../accounts/account-deletion.service.js';
import { Principal } from '../authentication/principal.js';
import { clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { AccountDeletionInput } from './inputs/account-deletion.input.js';
import { noStore } from './no-store.js';
import type { RefreshTokenTransport } from './refresh-token-transport.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

/** The route by which a user leaves. */
export function createAccountDeletionController(
  prefix: string,
  deletion: AccountDeletionService,
  transport: RefreshTokenTransport,
) {
  @Service()
  @Authorized()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore, requireJson)
  class AccountDeletionController {
    @Delete('/user')
    @OnUndefined(204)
    async delete(
      @CurrentUser() principal: Principal,
      @Body({ type: AccountDeletionInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<void> {
      const { password } = validateInput(AccountDeletionInput, body);
      await deletion.delete(principal.claims, password, clientOf(request));
      transport.forget(response);
    }
  }
  return AccountDeletionController;
}
