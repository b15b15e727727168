import { Type } from 'class-transformer';
import { IsArray, IsIn, IsInt, IsOptional, IsString, MaxLength, Min, ValidateNested } from 'class-validator';
import { JSONSchema } from 'class-validator-jsonschema';
import {
  All,
  Authorized,
  Body,
  CurrentUser,
  Delete,
  Get,
  JsonController,
  OnUndefined,
  Param,
  Post,
  QueryParam,
  QueryParams,
} from 'routing-controllers';
import { OpenAPI, ResponseSchema } from 'routing-controllers-openapi';
import { Service } from 'typedi';
import { EmailVerified, Principal } from '../../src/index.js';

export class Line {
  @IsString()
  article!: string;

  @IsInt()
  @Min(1)
  count!: number;
}

export class Order {
  @IsOptional()
  @IsString()
  @JSONSchema({ nullable: true, example: 'blue' })
  colour?: string | null;

  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => Line)
  lines!: Line[];
}

/** The name of an input of the library: the rules of the two must not be mixed. */
export class LoginInput {
  @IsString()
  pin!: string;
}

/** Another such name, to which only an answer refers. */
export class ProfileInput {
  @IsString()
  motto!: string;
}

export class Filter {
  @IsOptional()
  @IsIn(['new', 'sent'])
  state?: string;

  @IsOptional()
  @MaxLength(20)
  text?: string;
}

/** Has rules, and no route refers to it. */
export class Unused {
  @IsString()
  text!: string;
}

/** Has no rules at all. */
export class Unruled {
  text?: string;
}

const NOT_PAID = {
  description: 'Not paid',
  headers: { 'X-Price': { schema: { type: 'integer', nullable: true } } },
} as const;

@Service()
@JsonController('/orders')
export class OrdersController {
  @Get('/')
  @ResponseSchema(Order, { isArray: true })
  list(@QueryParams() filter: Filter) {
    return [filter];
  }

  @Get('/loose')
  loose(@QueryParams() query: Record<string, string>, @QueryParam('since') since: Date) {
    return { query, since };
  }

  @Authorized()
  @Post('/')
  @OpenAPI({ summary: 'Place an order', responses: { '402': NOT_PAID } })
  @ResponseSchema(Order)
  place(@Body({ required: true }) order: Order) {
    return order;
  }

  @Authorized([700, EmailVerified])
  @Delete('/:id(\\d+)')
  @OnUndefined(204)
  async cancel(@Param('id') _id: number) {}

  @Get('/last')
  @OnUndefined(204)
  @ResponseSchema(Order)
  async last() {}

  @Get('/:id/history')
  history(@Param('id') id: string, @CurrentUser() user?: Principal) {
    return { id, user: user?.id };
  }

  @Get('/mine')
  mine(@CurrentUser({ required: true }) user: Principal) {
    return { user: user.id };
  }

  @Post('/pin')
  pin(@Body() input: LoginInput) {
    return input;
  }

  @Post('/unruled')
  unruled(@Body() input: Unruled) {
    return input;
  }

  @Get(/^\/orders\/odd/)
  odd() {
    return {};
  }

  @All('/anything')
  @OpenAPI({ operationId: 'login' })
  anything() {
    return {};
  }
}

@Service()
@Authorized(700)
@JsonController('/admin')
export class StaffController {
  @Get('/mottos')
  @ResponseSchema(ProfileInput, { isArray: true })
  mottos() {
    return [];
  }

  @Get('/report')
  report() {
    return {};
  }
}

/** Belongs to another app in the process. */
@JsonController('/foreign')
export class ForeignController {
  @Post('/thing')
  thing(@Body() unused: Unused) {
    return unused;
  }
}

const others = (() => {
  class Order {
    @IsString()
    rank!: string;
  }
  return { Order };
})();

@Service()
@JsonController('/ranks')
export class OtherOrdersController {
  @Post('/')
  place(@Body({ type: others.Order }) order: unknown) {
    return order;
  }
}

export class AuthTokens {
  @IsString()
  access!: string;
}

@Service()
@JsonController('/tokens')
export class TokensController {
  @Post('/')
  take(@Body() tokens: AuthTokens) {
    return tokens;
  }
}

class Grant {
  @ValidateNested()
  tokens!: AuthTokens;
}

@Service()
@JsonController('/grants')
export class GrantsController {
  @Post('/')
  take(@Body() grant: Grant) {
    return grant;
  }
}

/** Has the name of a property that every object has. */
// biome-ignore lint/suspicious/noShadowRestrictedNames: that is the case
export class toString {
  @IsString()
  text!: string;
}

/** Replaces two of the library's routes. */
@Service()
@JsonController('/auth')
export class InOurPlaceController {
  @Get('/user')
  everybody() {
    return {};
  }

  @Delete('/sessions/:key')
  remove(@Param('key') key: string, @Body() body: toString) {
    return { key, body };
  }
}
