import { MikroORM } from '@mikro-orm/postgresql';
import { IsBoolean, IsInt, IsOptional, IsString, isUUID } from 'class-validator';
import { DeactivationService, Role } from 'jwt-allauth';
import { Authorized, Body, JsonController, NotFoundError, Param, Patch } from 'routing-controllers';
import { Service } from 'typedi';
import { User } from './user.entity.js';

/** What staff may change of somebody's account. */
export class UserChanges {
  @IsOptional()
  @IsString({ each: true })
  permissions?: string[];

  @IsOptional()
  @IsInt()
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
      await this.deactivation.deactivate(user.id); // ends the sessions too, in one transaction
      await this.orm.em.refresh(user);
    }
    return { id, email: user.email, permissions: user.permissions, role: user.role, isActive: user.isActive };
  }
}
