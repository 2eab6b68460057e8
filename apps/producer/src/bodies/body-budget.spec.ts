import type { FastifyRequest } from 'fastify';
import { ProblemException } from '../problems/problem';
import { BodyBudget } from './body-budget';

const request = () => ({}) as FastifyRequest;

describe('BodyBudget', () => {
  it('takes no more than that at once, and again what was let go', () => {
    const budget = new BodyBudget(100);
    const [one, other] = [request(), request()];
    budget.hold(one, 40);
    budget.hold(other, 40);
    budget.hold(one, 20);
    expect(() => budget.hold(other, 1)).toThrow(ProblemException);
    budget.release(one);
    budget.release(one);
    budget.hold(other, 60);
    expect(() => budget.hold(one, 1)).toThrow();
    budget.release(request());
    budget.release(other);
    budget.hold(one, 100);
  });
});
