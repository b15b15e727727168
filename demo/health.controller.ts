import { MikroORM } from '@mikro-orm/postgresql';
import { Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';

@Service()
@JsonController('/health')
export class HealthController {
  constructor(private readonly orm: MikroORM) {}

  /** 200, or 503 while the database is down: the error middleware recognises the error. */
  @Get('/')
  async health() {
    await this.orm.em.execute('select 1');
    return { status: 'ok' };
  }
}
