import type { VersionDocument } from '../lib/api';

/** How masks are drawn, for every picture at once. */
class MaskDrawing {
  /** Fill only the pixels on which prediction and annotation differ. */
  showsDifference = $state(false);

  toggleDifference(): void {
    this.showsDifference = !this.showsDifference;
  }
}

export const maskDrawing = new MaskDrawing();

/** Whether a version compares masks or oriented boxes. */
export const comparesShapes = (version: VersionDocument | null): boolean =>
  !!version?.geometry && version.geometry !== 'box';
