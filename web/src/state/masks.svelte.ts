/** How masks are drawn, for every picture at once. */
class MaskDrawing {
  /** Fill only the pixels on which prediction and annotation differ. */
  showsDifference = $state(false);

  toggleDifference(): void {
    this.showsDifference = !this.showsDifference;
  }
}

export const maskDrawing = new MaskDrawing();
