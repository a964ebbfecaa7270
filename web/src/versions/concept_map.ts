/** Which annotated concept the predictions of another one may be of. */

const plain = (name: string): string =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_.-]+/gu, '')
    .replace(/s$/, '');

/** The annotated concept whose name differs in case, spaces, signs or a plural alone; '' if none. */
export const likelyConcept = (name: string, annotated: readonly string[]): string => {
  if (!plain(name)) return '';
  const alike = annotated.filter((one) => plain(one) === plain(name));
  return alike.length === 1 ? alike[0]! : '';
};
