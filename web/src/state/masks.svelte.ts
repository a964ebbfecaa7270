import type { VersionDocument } from '../lib/api';

/** How masks are drawn, for every picture at once. */
class MaskDrawing {
  /** Fill only the pixels on which prediction and annotation differ; join keypoints that do. */
  showsDifference = $state(false);

  toggleDifference(): void {
    this.showsDifference = !this.showsDifference;
  }
}

export const maskDrawing = new MaskDrawing();

/** What the similarity of two objects is called: OKS of keypoints, else IoU. */
export const similarityName = (version: VersionDocument | null): string =>
  version?.geometry === 'keypoints' ? 'OKS' : 'IoU';

/** Whether a version compares masks, oriented boxes or keypoints. */
export const comparesShapes = (version: VersionDocument | null): boolean =>
  !!version?.geometry && version.geometry !== 'box';
