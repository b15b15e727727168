import { EmailVerified, Fresh, LoadUser, Principal, SecondFactor } from 'jwt-allauth';
import { Authorized, CurrentUser, Get, JsonController, Post } from 'routing-controllers';
import { Service } from 'typedi';
import { User } from './user.entity.js';

@Service()
@JsonController('/profile')
export class ProfileController {
  /** Stateless: needs no database query. */
  @Authorized()
  @Get('/id')
  id(@CurrentUser() user: Principal) {
    return { id: user.id, permissions: user.claims.permissions };
  }

  /** The complete entity, loaded once per request. */
  @Authorized()
  @LoadUser()
  @Get('/')
  profile(@CurrentUser() user: User) {
    return { email: user.email, permissions: user.permissions };
  }

  /** Checks the role claim without a query; staff (1000) and superusers (900) pass too. */
  @Authorized(700)
  @Post('/publish')
  publish() {
    return { published: true };
  }

  /** Checks the claim `email_verified`. */
  @Authorized(EmailVerified)
  @Post('/invite')
  invite() {
    return { invited: true };
  }

  /** Checks the claim `auth_time`: the user must have authenticated within a minute. */
  @Authorized(Fresh('1m'))
  @Post('/export')
  export() {
    return { exported: true };
  }

  /** Checks the claim `amr`: the session must have a second factor. */
  @Authorized(SecondFactor)
  @Post('/transfer')
  transfer() {
    return { transferred: true };
  }
}
