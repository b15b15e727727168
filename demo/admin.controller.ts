import { MikroORM } from '@mikro-orm/postgresql';
import { IsArray, IsBoolean, IsInt, IsOptional, isUUID, Matches, Max, Min } from 'class-validator';
import { DeactivationService, Role } from 'jwt-allauth';
import { Authorized, Body, Get, JsonController, NotFoundError, Param, Patch, QueryParam } from 'routing-controllers';
import { Service } from 'typedi';
import { User } from './user.entity.js';

/** Maximum number of users that a search returns. */
const MAX_RESULTS = 20;

/** The changes that staff may make to an account. */
export class UserChanges {
  @IsOptional()
  @IsArray()
  @Matches(/^[^\0\p{Surrogate}]{1,100}$/u, { each: true }) // only what PostgreSQL can store
  permissions?: string[];

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(Role.STAFF)
  role?: number;

  @IsOptional()
  @IsBoolean()
  isActive?: boolean;
}

@Service()
@Authorized(Role.STAFF)
@JsonController('/admin/users')
export class AdminController {
  constructor(
    private readonly orm: MikroORM,
    private readonly deactivation: DeactivationService,
  ) {}

  /** Finds users whose e-mail address contains the text, sorted by address. */
  @Get('/')
  async find(@QueryParam('email') email: string) {
    const pattern = String(email ?? '')
      .replaceAll('\0', '')
      .replace(/[\\%_]/g, '\\$&');
    const where = { email: { $ilike: `%${pattern}%` } };
    const users = await this.orm.em.find(User, where, { orderBy: { email: 'asc' }, limit: MAX_RESULTS });
    return users.map(toBody);
  }

  @Patch('/:id')
  async change(
    @Param('id') id: string,
    @Body({ validate: { whitelist: true, forbidNonWhitelisted: true } }) changes: UserChanges,
  ) {
    const user = isUUID(id) ? await this.orm.em.findOne(User, { id }) : null;
    if (!user) throw new NotFoundError('There is no such user.');
    user.permissions = changes.permissions ?? user.permissions;
    user.role = changes.role ?? user.role;
    user.isActive ||= changes.isActive === true;
    await this.orm.em.flush();
    if (changes.isActive === false) {
      await this.deactivation.deactivate(user.id); // also revokes the sessions, in one transaction
      await this.orm.em.refresh(user);
    }
    return toBody(user);
  }
}

function toBody({ id, email, permissions, role, isActive }: User) {
  return { id, email, permissions, role, isActive };
}
