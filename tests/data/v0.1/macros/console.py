# Recorded by napari-cellinr
# with napari-cellinr 0.1.0, torch 2.13.0
import napari
from napari_cellinr.ui.console import console_of

viewer = napari.current_viewer()
cellinr = console_of(viewer)
cellinr.use('cells', 'inputs/cells.tif')
cellinr.use('movie', 'inputs/movie.tif')
cellinr.calibrate('cells', Y=0.1, X=0.1)
cellinr.denoise('cells', background='keep', preset='preview', steps=10, seed=3)
# failed: cellinr.denoise('cells', steps=0, seed=0): no step
cellinr.save('cells denoised', 'clean.tif')
cellinr.save('cells background', 'background.tif')
cellinr.save('cells denoised', 'cells.cellinr')
cellinr.render('cells denoised', scale={'Y': 2.0})
cellinr.save('cells denoised [1]', 'rendered.tif')
cellinr.compare('cells denoised')
cellinr.save('cells denoised difference', 'difference.tif')
cellinr.denoise('cells', warm_start='cells denoised', preset='preview', steps=5, seed=1)
cellinr.save('cells denoised [2]', 'again.ome.tif')
cellinr.reconstruct('movie', preset='preview', steps=10, optics={'kind': 'line-scan', 'row_time': 0.01}, seed=0)
cellinr.save('movie reconstructed', 'scene.tif')
cellinr.save('movie speed', 'speed.tif')
cellinr.show_motion('movie reconstructed', every=6, shortest=0)
cellinr.save('movie reconstructed motion', 'motion.csv')
cellinr.superresolve('movie', preset='preview', scale={'T': 2.0}, seed=2)
cellinr.save('movie super-resolved', 'finer.tif')
