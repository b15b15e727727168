import { Type } from 'class-transformer';
import { IsEmail, IsInt, IsString, MaxLength, ValidateNested } from 'class-validator';
import {
  BadRequestError,
  Body,
  ForbiddenError,
  Get,
  HttpError,
  InternalServerError,
  JsonController,
  NotFoundError,
  Param,
  Post,
  QueryParam,
  Res,
  UnauthorizedError,
  UseBefore,
} from 'routing-controllers';
import { Service } from 'typedi';
import { JwtAllauthError } from '../../src/index.js';

/** Data that an app should not put into an error, and that must not reach a client from there. */
export const SECRET_DETAIL = 'connection string postgres://admin:hunter22@db';

/** Everything that an action can throw, by name. */
export const THROWN: Readonly<Record<string, () => unknown>> = {
  error: () => new Error(SECRET_DETAIL),
  type: () => new TypeError(SECRET_DETAIL),
  text: () => SECRET_DETAIL,
  number: () => 404,
  object: () => ({ message: SECRET_DETAIL, stack: SECRET_DETAIL }),
  list: () => [SECRET_DETAIL],
  symbol: () => Symbol(SECRET_DETAIL),
  aggregate: () => new AggregateError([new Error(SECRET_DETAIL)], SECRET_DETAIL),
  internal: () => new InternalServerError(SECRET_DETAIL),
  http502: () => new HttpError(502, SECRET_DETAIL),
  http200: () => new HttpError(200, SECRET_DETAIL),
  undefined: () => undefined,
  null: () => null,
  empty: () => '',
  zero: () => 0,
  route: () => 'route',
  router: () => 'router',
  notFound: () => new NotFoundError('This order does not exist.'),
  bad: () => new BadRequestError('The order is closed.'),
  forbidden: () => new ForbiddenError('The order is not yours.'),
  unauthorized: () => new UnauthorizedError('Say who you are.'),
  quoted: () => new UnauthorizedError('Say "who", \\ and\r\nwhere – you are.'),
  teapot: () => new HttpError(418, 'This is a teapot.'),
  conflict: () => new HttpError(409, 'The order was changed meanwhile.'),
  wordless: () => new NotFoundError(),
  status: () => Object.assign(new Error(SECRET_DETAIL), { status: 400 }),
  ours: () => new JwtAllauthError('order_closed', { status: 422, detail: 'The order is closed.', retryAfter: 7 }),
};

class Line {
  @IsInt()
  count!: number;
}

export class Order {
  @IsEmail()
  email!: string;

  @IsString()
  @MaxLength(10)
  note!: string;

  @ValidateNested({ each: true })
  @Type(() => Line)
  lines!: Line[];

  @ValidateNested()
  @Type(() => Line)
  first!: Line;
}

const rejecting = async (_request: unknown, _response: unknown, next: (error?: unknown) => void) => {
  await null;
  next(new Error(SECRET_DETAIL));
};

@Service()
@JsonController('/app')
export class FailingController {
  @Get('/throws/:what')
  async throws(@Param('what') what: string) {
    throw THROWN[what]?.();
  }

  @Get('/throws-at-once/:what')
  throwsAtOnce(@Param('what') what: string) {
    throw THROWN[what]?.();
  }

  @Get('/before')
  @UseBefore(() => {
    throw new Error(SECRET_DETAIL);
  })
  before() {
    return {};
  }

  @Get('/before-later')
  @UseBefore(rejecting)
  beforeLater() {
    return {};
  }

  @Get('/number')
  number(@QueryParam('n', { required: true }) n: number) {
    return { n };
  }

  @Get('/json')
  json(@QueryParam('order', { parse: true }) order: Order) {
    return { order };
  }

  @Post('/orders')
  order(@Body() order: Order) {
    return { note: order.note };
  }

  @Post('/needs-body')
  needsBody(@Body({ required: true }) order: object) {
    return order;
  }

  @Get('/nothing')
  nothing() {
    return undefined;
  }

  @Get('/half')
  half(@Res() response: { write(text: string): void }) {
    response.write('{"half":');
    throw new Error(SECRET_DETAIL);
  }

  @Get('/items/:id')
  item(@Param('id') id: string) {
    return { id };
  }
}
