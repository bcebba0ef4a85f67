# Recorded by napari-cellinr
# with napari-cellinr 0.1.0, torch 2.13.0
from napari_cellinr import compare, denoise, read, reconstruct, render, save_fit, superresolve, warm_start, write, write_motion

cells = read('inputs/cells.tif')
movie = read('inputs/movie.tif')
cells = cells.with_voxel_size(Y=0.1, X=0.1)
cells_denoised = denoise(cells, background='keep', preset='preview', steps=10, seed=3)
# failed: cellinr.denoise('cells', steps=0, seed=0): no step
write('clean.tif', cells_denoised.image('result'))
write('background.tif', cells_denoised.image('background'))
save_fit('cells.cellinr', cells_denoised)
cells_denoised_1 = render(cells_denoised, scale={'Y': 2.0})
write('rendered.tif', cells_denoised_1[0])
cells_denoised_difference = compare(cells_denoised, source=cells)
write('difference.tif', cells_denoised_difference[0])
cells_denoised_2 = warm_start(cells_denoised, cells, preset='preview', steps=5, seed=1)
write('again.ome.tif', cells_denoised_2.images[0])
movie_reconstructed = reconstruct(movie, preset='preview', steps=10, optics={'kind': 'line-scan', 'row_time': 0.01}, seed=0)
write('scene.tif', movie_reconstructed.image('result'))
write('speed.tif', movie_reconstructed.image('speed'))
write_motion('motion.csv', movie_reconstructed, every=6, shortest=0)
movie_super_resolved = superresolve(movie, preset='preview', scale={'T': 2.0}, seed=2)
write('finer.tif', movie_super_resolved.images[0])
