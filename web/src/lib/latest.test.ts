import { describe, expect, it } from 'vitest';
import { latest } from './latest';

describe('the latest call', () => {
  it('runs one at a time and always the last', async () => {
    const seen: number[] = [];
    let release: () => void = () => {};
    const call = latest(async (value: number) => {
      seen.push(value);
      await new Promise<void>((done) => (release = done));
    });
    for (const value of [1, 2, 3, 4]) call(value);
    expect(seen).toEqual([1]);
    release();
    await new Promise((done) => setTimeout(done));
    expect(seen).toEqual([1, 4]);
  });
});
